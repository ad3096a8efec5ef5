"""Images: encoders, frozen features, tissue filters, augmentation and stains."""
